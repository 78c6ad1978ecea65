package postgres

import (
	"encoding/binary"
	"fmt"

	"github.com/jackc/pgx/v5/pgtype"
)

// binaryFormat is that of all parameters and results.
func binaryFormat() []int16 { return []int16{pgtype.BinaryFormatCode} }

// Here is the binary format of parameters and results, as the send and receive
// functions in PostgreSQL's source have it. pgx would look at the type of each
// element of an array anew.

// array is a one-dimensional array without NULLs.
type array struct {
	buf []byte
	n   uint32
}

// oid is the type of an array's elements.
type oid uint32

const (
	int8s  oid = pgtype.Int8OID
	int4s  oid = pgtype.Int4OID
	text   oid = pgtype.TextOID
	byteas oid = pgtype.ByteaOID
	uuids  oid = pgtype.UUIDOID
)

func (a *array) reset(t oid) {
	a.n = 0
	a.buf = binary.BigEndian.AppendUint32(a.buf[:0], 1) // dimension
	a.buf = binary.BigEndian.AppendUint32(a.buf, 0)     // no NULL
	a.buf = binary.BigEndian.AppendUint32(a.buf, uint32(t))
	a.buf = binary.BigEndian.AppendUint32(a.buf, 0) // elements
	a.buf = binary.BigEndian.AppendUint32(a.buf, 1) // the first index
}

func putBytes[T string | []byte](a *array, v T) {
	a.n++
	a.buf = append(binary.BigEndian.AppendUint32(a.buf, uint32(len(v))), v...)
}

func putInt64(a *array, v int64) {
	a.n++
	a.buf = binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(a.buf, 8), uint64(v))
}

func putInt32(a *array, v int) {
	a.n++
	a.buf = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(a.buf, 4), uint32(v))
}

// arrays returns the writer's arrays, empty and of these types.
func (w *writer) arrays(types ...oid) []*array {
	const keep = 1 << 20
	all := make([]*array, len(types))
	for i, t := range types {
		a := &w.buffers[i]
		if cap(a.buf) > keep {
			a.buf = nil
		}
		a.reset(t)
		all[i] = a
	}
	return all
}

// finished returns the bytes of arrays.
func finished(arrays []*array) [][]byte {
	all := make([][]byte, len(arrays))
	for i, a := range arrays {
		binary.BigEndian.PutUint32(a.buf[12:], a.n)
		all[i] = a.buf
	}
	return all
}

func bigEndian(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }

// appendIntegers adds the integers of a row to dst.
func appendIntegers(dst []int64, row [][]byte) ([]int64, error) {
	for i, v := range row {
		switch len(v) {
		case 4:
			dst = append(dst, int64(int32(binary.BigEndian.Uint32(v))))
		case 8:
			dst = append(dst, int64(binary.BigEndian.Uint64(v)))
		default:
			return nil, fmt.Errorf("%d bytes in column %d of the answer", len(v), i)
		}
	}
	return dst, nil
}
