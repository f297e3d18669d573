mod row; mod sealed;
