package bench

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openservicemesh/osm-operator/internal/testing/bench/mesh"
)

// best is the best value of a metric that was ever measured.
type best struct {
	Value float64 `json:"value"`
	// Commit is the commit before the one that recorded the value.
	Commit string `json:"commit"`
	// Accepted is a worse value that is accepted now; 0 for none. CHANGELOG.md names its metric and the reason.
	Accepted float64 `json:"accepted,omitempty"`
}

// bound is what a value is compared with.
func (b best) bound() float64 { return max(b.Value, b.Accepted) }

// slack is by how much a value may differ from what was measured before. Sizes of signatures vary, and so do allocations that depend on the
// order of goroutines, and those of timers that fire in the meantime.
func slack(key string, value float64) float64 {
	switch {
	case strings.HasSuffix(key, string(changeAllocs)):
		return 0.15*value + 60
	case strings.HasSuffix(key, string(syncBytes)):
		return 0.002 * value
	}
	return 0
}

// costs are the values of a mesh that do not depend on the machine: bytes, sidecars that a change touches, and allocations.
func costs(of shape, values map[metric]float64) map[string]float64 {
	all := map[string]float64{}
	add := func(m metric) { all[fmt.Sprintf("%s, %d sidecars, %s", of.Mode, of.Sidecars, m)] = values[m] }
	add(syncBytes)
	for _, kind := range mesh.Kinds(of.Mode)[1:] {
		for _, m := range []metric{changeBytes, changeTouched, changeAllocs} {
			add(m.of(kind))
		}
	}
	return all
}

// compareCosts describes the values that are worse than the best, and those that are better and not recorded: a later change would lose them
// without notice. A worse value is accepted if the changelog names its metric.
func compareCosts(measured map[string]float64, recorded map[string]best, changelog string) []string {
	var complaints []string
	for _, key := range slices.Sorted(maps.Keys(recorded)) {
		b := recorded[key]
		value, is := measured[key]
		switch {
		case !is:
			complaints = append(complaints, key+": was not measured")
		case value > b.bound()+slack(key, b.bound()):
			complaints = append(complaints, fmt.Sprintf("%s: %g, and the best was %g at %s: mend it, or set \"accepted\" in best.json and name the metric with the reason in CHANGELOG.md", key, value, b.Value, b.Commit))
		case value < b.bound()-slack(key, b.bound()):
			complaints = append(complaints, fmt.Sprintf("%s: %g is better than %g: record it with -update", key, value, b.bound()))
		case b.Accepted > 0 && !strings.Contains(changelog, "`"+key+"`"):
			complaints = append(complaints, fmt.Sprintf("%s: %g is accepted though the best was %g, and CHANGELOG.md has no line with `%s`", key, b.Accepted, b.Value, key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(measured)) {
		if _, is := recorded[key]; !is {
			complaints = append(complaints, key+": has no best value: record it with -update")
		}
	}
	return complaints
}

// record returns the recorded values with those that are better now.
func record(measured map[string]float64, recorded map[string]best, commit string) map[string]best {
	updated := map[string]best{}
	for key, value := range measured {
		b, is := recorded[key]
		if !is || value < b.Value-slack(key, b.Value) {
			b = best{Value: value, Commit: commit}
		}
		if b.Accepted > 0 {
			b.Accepted = max(b.Value, min(b.Accepted, value))
		}
		if b.Accepted == b.Value {
			b.Accepted = 0
		}
		updated[key] = b
	}
	return updated
}
