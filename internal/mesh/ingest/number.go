package ingest

import (
	"math"
	"time"
)

// maxDuration is the longest duration in a policy. Ten times this value still fits all timers.
const maxDuration = 8760 * time.Hour

// count reads a count of at least minimum; nil when it is absent or invalid. An invalid value is a problem of that
// field only.
func (o object) count(key string, minimum uint32) *uint32 {
	return o.number(key, minimum, math.MaxUint32)
}

// number reads a number within bounds; nil when it is absent or invalid.
func (o object) number(key string, minimum, maximum uint32) *uint32 {
	if o.fields[key] == nil {
		return nil
	}
	value := o.whole(key)
	if value < int64(minimum) || value > int64(maximum) {
		o.problems.reject(ReasonInvalidNumber, "%s is %d, which is out of range and has no effect: write a whole number from %d to %d.", o.child(key), value, minimum, maximum)
		return nil
	}
	number := uint32(value)
	return &number
}

// duration reads a duration; 0 when it is absent or invalid. An invalid value is a problem of that field only.
func (o object) duration(key, example string) time.Duration {
	text := o.text(key)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		o.problems.reject(ReasonInvalidDuration, "%s %.40q is not a duration and has no effect: write a number with a unit, for example %s.", o.child(key), text, example)
	case d < 0:
		o.problems.reject(ReasonInvalidDuration, "%s %s is below zero and has no effect: write for example %s.", o.child(key), text, example)
	case d > maxDuration:
		o.problems.reject(ReasonInvalidDuration, "%s %s is too long and has no effect: write at most %dh.", o.child(key), text, int(maxDuration.Hours()))
	default:
		return d
	}
	return 0
}

// durationFrom reads a duration and raises it to a minimum, with a warning; 0 when it is absent, zero or invalid.
func (o object) durationFrom(key, example string, minimum time.Duration) time.Duration {
	d := o.duration(key, example)
	if d == 0 || d >= minimum {
		return d
	}
	o.problems.warn(ReasonInvalidDuration, "%s %s is too short and counts as %s: write at least %s.", o.child(key), d, minimum, minimum)
	return minimum
}

// valueOrZero dereferences a number; nil is 0.
func valueOrZero(number *uint32) uint32 {
	if number == nil {
		return 0
	}
	return *number
}
