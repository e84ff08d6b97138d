package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tolerance is the accepted increase of a ratio over the baseline.
const tolerance = 0.30

// Ratios returns our values divided by those of other control planes, for metrics that are stable on a busy machine. The keys
// describe the mesh, the metric and the other control plane.
func (r *Run) Ratios(ours string) map[string]float64 {
	ratios := map[string]float64{}
	for _, own := range r.Results {
		if own.Variant != ours {
			continue
		}
		for _, other := range r.Results {
			if other.Variant == ours || other.Mode != own.Mode || other.Sidecars != own.Sidecars {
				continue
			}
			for m, value := range own.Values {
				if compared(m) && other.Values[m] > 0 {
					ratios[fmt.Sprintf("%s, %d sidecars, %s, against %s", own.Mode, own.Sidecars, m, other.Variant)] = value / other.Values[m]
				}
			}
		}
	}
	return ratios
}

// Least adopts smaller values of another run of the same plan, because noise only increases values.
func (r *Run) Least(other *Run) {
	for _, result := range r.Results {
		again, _ := other.find(result.Variant, result.Mode, result.Sidecars)
		for m, value := range again.Values {
			if own, measured := result.Values[m]; measured {
				result.Values[m] = min(own, value)
			}
		}
	}
}

// compared reports whether the ratios of a metric are compared with a baseline. Changes of nothing only measure the benchmark.
func compared(m Metric) bool {
	if strings.HasPrefix(string(m), "nothing") {
		return false
	}
	for _, suffix := range []Metric{SyncCPU, ChangeCPU, SyncBytes, ChangeBytes, ChangeAllocs} {
		if strings.HasSuffix(string(m), string(suffix)) {
			return true
		}
	}
	return false
}

// Worse describes the ratios that exceed the baseline by more than the tolerance, and those that are missing.
func Worse(ratios, baseline map[string]float64) []string {
	var complaints []string
	for _, key := range slices.Sorted(maps.Keys(baseline)) {
		now, measured := ratios[key]
		switch {
		case !measured:
			complaints = append(complaints, fmt.Sprintf("%s: was not measured, though the baseline has it", key))
		case now > baseline[key]*(1+tolerance):
			complaints = append(complaints, fmt.Sprintf("%s: %s times as much, %s in the baseline", key, short(now), short(baseline[key])))
		}
	}
	return complaints
}
