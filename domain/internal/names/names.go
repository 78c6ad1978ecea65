// Package names keeps the names and ids of a workspace's tags, teams or
// statuses apart, so that people may use either for the other.
//
// It is pure.
package names

import "github.com/chatledger/chatledger/domain/internal/text"

// Index finds things by id or name. Ids and names share one space: nothing may
// have the name or the id of another. Case does not count. The zero Index is
// empty; its methods change it in place.
type Index[ID ~string] struct{ owner map[string]ID }

// Find returns what has the name or the id.
func (x Index[ID]) Find(nameOrID string) (ID, bool) {
	id, ok := x.owner[text.Key(nameOrID)]
	return id, ok
}

// Free reports whether id may take nameOrID: nothing else has it.
func (x Index[ID]) Free(id ID, nameOrID string) bool {
	owner, taken := x.Find(nameOrID)
	return !taken || owner == id
}

// Add takes an id and a name.
func (x *Index[ID]) Add(id ID, name string) {
	if x.owner == nil {
		x.owner = map[string]ID{}
	}
	x.owner[text.Key(string(id))] = id
	x.owner[text.Key(name)] = id
}

// Release gives a name back. The id stays taken for ever.
func (x *Index[ID]) Release(id ID, name string) {
	if key := text.Key(name); key != text.Key(string(id)) && x.owner[key] == id {
		delete(x.owner, key)
	}
}
