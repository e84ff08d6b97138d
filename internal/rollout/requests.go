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

// zScore is the number of standard deviations by which an error rate must exceed the tolerated rate. With 3, about one observation in
// a thousand is a false positive.
const zScore = 3

// exceeds reports whether the error rate is above the tolerated rate with statistical significance. Two failures among fifty requests are
// not significant for a tolerated rate of 1%; 200 among 5000 are. It compares the lower bound of Wilson's score interval.
func (r Requests) exceeds(tolerated float64) bool {
	n, rate := float64(r.Issued), r.ErrorRate()
	if rate <= tolerated {
		return false
	}
	const z = zScore * zScore
	center, margin := rate+z/(2*n), zScore*math.Sqrt(rate*(1-rate)/n+z/(4*n*n))
	return (center-margin)/(1+z/n) > tolerated
}
