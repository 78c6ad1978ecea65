package audit

import (
	"crypto/sha256"
	"encoding/binary"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/chatledger/chatledger/eventstore"
)

// leafVersion begins every leaf. Another layout would have another.
const leafVersion = "chatledger event v1\n"

// AppendLeaf adds to b the bytes of a recorded event that are hashed, all that the
// log says of it. Numbers are big-endian; docs/audit.md has a table:
//
//	"chatledger event v1\n"
//	position      8 bytes
//	revision      8 bytes
//	recorded at   8 bytes, microseconds since 1970 UTC
//	id           16 bytes
//	stream, type, data, metadata: each 4 bytes of length, then its bytes
//
// It never changes: every tree that was ever signed depends on it.
func AppendLeaf(b []byte, r eventstore.Recorded) []byte {
	b = append(b, leafVersion...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Position))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Revision))
	b = binary.BigEndian.AppendUint64(b, uint64(r.Time.UnixMicro()))
	b = append(b, r.ID[:]...)
	b = appendSized(b, r.Stream)
	b = appendSized(b, r.Type)
	b = appendSized(b, r.Data)
	return appendSized(b, r.Meta)
}

func appendSized[T string | []byte](b []byte, v T) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(v)))
	return append(b, v...)
}

// LeafHash returns the hash of an event as RFC 6962, section 2.1, has it: of a zero
// byte and the leaf.
func LeafHash(r eventstore.Recorded) tlog.Hash {
	h, _ := leafHash(nil, r)
	return h
}

// leafHash is LeafHash with memory that may be used again.
func leafHash(b []byte, r eventstore.Recorded) (tlog.Hash, []byte) {
	b = AppendLeaf(append(b[:0], 0), r)
	return sha256.Sum256(b), b
}
