"""``python -m rsforge`` and ``torchrun -m rsforge`` are the ``rsforge`` command."""

from rsforge.cli.main import main

if __name__ == "__main__":
    main()
