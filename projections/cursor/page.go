package cursor

// Query says which page of a list to read.
type Query struct {
	Cursor string // of the page before; "" for the first
	Limit  int    // 1 to 200; 0 means 50
}

// Page is a part of a list.
type Page[T any] struct {
	Items []T
	Next  string // cursor of the next page; "" if this is the last
}

// Cut returns a page of the rows of a list, of which one more than limit was asked
// for, so that it is known whether others follow. place is where a row is in the list,
// as its cursors hold it.
func Cut[T any](list string, rows []T, limit int, place func(*T) any) Page[T] {
	if len(rows) <= limit {
		return Page[T]{Items: rows}
	}
	return Page[T]{Items: rows[:limit], Next: Encode(list, place(&rows[limit-1]))}
}
