package rollout

import "math"

// Requests counts requests.
type Requests struct {
	Issued, Failed uint64
}

// ErrorRate is the share of failed requests, 0 without requests.
func (r Requests) ErrorRate() float64 {
	if r.Issued == 0 {
		return 0
	}
	return float64(r.Failed) / float64(r.Issued)
}

// significance is the probability with which chance alone may look like an increase: that of three standard deviations.
const significance = 0.00135

// exceeds reports whether the error rate is above the tolerated rate with statistical significance: if each request failed with the
// tolerated probability, so many failures would be less likely than significance. One failure among three requests is not significant for a
// tolerated rate of 1%; two among four are.
func (r Requests) exceeds(tolerated float64) bool {
	if r.ErrorRate() <= tolerated {
		return false
	}
	return upperTail(r.Issued, r.Failed, tolerated) < significance
}

// upperTail is the probability of at least k failures in n requests that fail with probability p each.
func upperTail(n, k uint64, p float64) float64 {
	const precision = 1e-9
	all, failed := float64(n), float64(k)
	term := math.Exp(logFactorial(all) - logFactorial(failed) - logFactorial(all-failed) + failed*math.Log(p) + (all-failed)*math.Log1p(-p))
	// Above the mean, terms shrink faster than a geometric series, so few of them matter. The one after the last is 0.
	sum := 0.0
	for ; term > sum*precision; failed++ {
		sum += term
		term *= (all - failed) / (failed + 1) * p / (1 - p)
	}
	return sum
}

func logFactorial(n float64) float64 {
	value, _ := math.Lgamma(n + 1)
	return value
}
