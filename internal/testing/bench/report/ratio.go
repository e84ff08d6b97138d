package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// tolerance is how much worse a ratio may be than in the baseline.
const tolerance = 0.30

// Ratios are ours divided by another control plane's, for metrics that a busy machine distorts little. The keys tell what of
// whom in which mesh.
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

// Least takes over what another run of the same plan has measured as less. Noise only adds.
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

// compared says whether the ratios of a metric are held against a baseline. Changes of nothing only measure the benchmark.
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

// Worse tells in sentences which ratios are worse than in a baseline by more than is allowed, and which are missing.
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
