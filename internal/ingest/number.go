package ingest

import (
	"math"
	"time"
)

// maxDuration is the longest duration of a policy. It is far more than anybody needs, and ten times it still fits every clock.
const maxDuration = 8760 * time.Hour

// count reads a number of things, from least to what sidecars can count; nil when it is absent or not usable, which is a problem
// of that field alone.
func (o object) count(key string, least uint32) *uint32 {
	return o.number(key, least, math.MaxUint32)
}

// number reads a number within bounds; nil when it is absent or not usable.
func (o object) number(key string, least, most uint32) *uint32 {
	if o.fields[key] == nil {
		return nil
	}
	value := o.whole(key)
	if value < int64(least) || value > int64(most) {
		o.problems.refuse(ReasonInvalidNumber, "%s is %d, which is out of range and has no effect: write a whole number from %d to %d.", o.child(key), value, least, most)
		return nil
	}
	number := uint32(value)
	return &number
}

// duration reads a duration; 0 when it is absent or not usable, which is a problem of that field alone.
func (o object) duration(key, example string) time.Duration {
	text := o.text(key)
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	switch {
	case err != nil:
		o.problems.refuse(ReasonInvalidDuration, "%s %.40q is not a duration and has no effect: write a number with a unit, for example %s.", o.child(key), text, example)
	case d < 0:
		o.problems.refuse(ReasonInvalidDuration, "%s %s is below zero and has no effect: write for example %s.", o.child(key), text, example)
	case d > maxDuration:
		o.problems.refuse(ReasonInvalidDuration, "%s %s is too long and has no effect: write at most %dh.", o.child(key), text, int(maxDuration.Hours()))
	default:
		return d
	}
	return 0
}

// orZero is the number that is meant, with 0 for none.
func orZero(number *uint32) uint32 {
	if number == nil {
		return 0
	}
	return *number
}
