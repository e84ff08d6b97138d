package ingest

import (
	"math"
	"time"
)

// maxDuration is the longest duration in a policy. Ten times this value still fits all timers.
const maxDuration = 8760 * time.Hour

// wholeNumber converts the number types of JSON and YAML decoders.
func wholeNumber(value any) (int64, bool) {
	switch n := value.(type) {
	case int64:
		return n, true
	case int:
		return int64(n), true
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), true
		}
	}
	return 0, false
}

// count converts a count of at least minimum; nil when it is absent or invalid. An invalid value is a problem of that
// field only.
func (p *problems) count(path string, value *int64, minimum uint32) *uint32 {
	return p.number(path, value, minimum, math.MaxUint32)
}

// number converts a number within bounds; nil when it is absent or invalid.
func (p *problems) number(path string, value *int64, minimum, maximum uint32) *uint32 {
	if value == nil {
		return nil
	}
	if *value < int64(minimum) || *value > int64(maximum) {
		p.reject(ReasonInvalidNumber, "%s is %d, which is out of range and has no effect: write a whole number from %d to %d.", path, *value, minimum, maximum)
		return nil
	}
	number := uint32(*value)
	return &number
}

// duration parses a duration; 0 when it is absent or invalid. An invalid value is a problem of that field only.
func (p *problems) duration(path, text, example string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		p.reject(ReasonInvalidDuration, "%s %.40q is not a duration and has no effect: write a number with a unit, for example %s.", path, text, example)
	case d < 0:
		p.reject(ReasonInvalidDuration, "%s %s is below zero and has no effect: write for example %s.", path, text, example)
	case d > maxDuration:
		p.reject(ReasonInvalidDuration, "%s %s is too long and has no effect: write at most %dh.", path, text, int(maxDuration.Hours()))
	default:
		return d
	}
	return 0
}

// durationFrom parses a duration and raises it to a minimum, with a warning; 0 when it is absent, zero or invalid.
func (p *problems) durationFrom(path, text, example string, minimum time.Duration) time.Duration {
	d := p.duration(path, text, example)
	if d == 0 || d >= minimum {
		return d
	}
	p.warn(ReasonInvalidDuration, "%s %s is too short and counts as %s: write at least %s.", path, d, minimum, minimum)
	return minimum
}

// valueOrZero dereferences a number; nil is 0.
func valueOrZero(number *uint32) uint32 {
	if number == nil {
		return 0
	}
	return *number
}
