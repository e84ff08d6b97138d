package rollout

import "math"

// Requests counts requests.
type Requests struct {
	Issued, Failed uint64
}

// ErrorRate is the share that failed; without requests 0.
func (r Requests) ErrorRate() float64 {
	if r.Issued == 0 {
		return 0
	}
	return float64(r.Failed) / float64(r.Issued)
}

// chance is how many standard deviations a share of failed requests must be away from what is tolerated to be no accident: with three, one
// look in about a thousand would take an accident for a fault.
const chance = 3

// exceeds says whether more requests fail than the share that is tolerated, and not by accident: two failures among fifty requests say
// nothing about a share of one in a hundred, 200 among 5000 do. It compares with the lower end of Wilson's score interval.
func (r Requests) exceeds(tolerated float64) bool {
	n, rate := float64(r.Issued), r.ErrorRate()
	if rate <= tolerated {
		return false
	}
	const z = chance * chance
	center, margin := rate+z/(2*n), chance*math.Sqrt(rate*(1-rate)/n+z/(4*n*n))
	return (center-margin)/(1+z/n) > tolerated
}
