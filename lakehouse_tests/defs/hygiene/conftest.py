from lakehouse_tests.lake.conftest import lake, new_lake

__all__ = ["lake", "new_lake"]
