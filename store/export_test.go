package store

import "slices"

// MergedTables are those of whose client merging knows.
func MergedTables() []string {
	out := slices.Clone(clientRest)
	for _, r := range clientRows {
		out = append(out, r.name)
	}
	return out
}
