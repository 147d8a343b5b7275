"""Seeds that are derived from others."""

from __future__ import annotations

from rsforge.seeds import derive


def test_a_seed_is_a_function_of_its_parts_in_their_order():
    assert derive(1, "a") == derive(1, "a") and 0 <= derive(1, "a") < 2**63
    assert max(derive(k) for k in range(64)) < 2**63
    assert len({derive(1, "a"), derive("a", 1), derive(1), derive("1", "a"), derive(1, "b"), derive(2, "a")}) == 6
