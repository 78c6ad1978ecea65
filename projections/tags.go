package projections

import "slices"

// Retag returns tags with a delta applied, sorted, each once, nil if none are left.
// It leaves tags alone, as a fold must with what a row holds.
func Retag[T ~string](tags []string, added, removed []T) (out []string) {
	for _, t := range tags {
		if !slices.Contains(removed, T(t)) {
			out = append(out, t)
		}
	}
	for _, t := range added {
		out = append(out, string(t))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
