package v1alpha1

import (
	"strconv"
	"strings"
	"time"
)

// Duration is a length of time: one to four numbers, each with its unit h, m, s or ms, such as 90s or 1h30m. It is the format of GEP-2257, as in
// the Gateway API. Every length of time in the spec of a Mesh has this type.
//
// +kubebuilder:validation:MaxLength=32
// +kubebuilder:validation:Pattern=`^([0-9]{1,5}(h|m|s|ms)){1,4}$`
// +kubebuilder:validation:XValidation:rule="self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')",message="write numbers with the units h, m, s and ms, for example 90s or 1h30m"
type Duration string

// maxNumber is the greatest number before a unit.
const maxNumber = 99999

// NewDuration returns a length of time, rounded down to milliseconds. It is at most 99999 hours and at least 0.
func NewDuration(value time.Duration) Duration {
	value = min(max(value, 0), maxNumber*time.Hour)
	var text strings.Builder
	for _, unit := range []struct {
		name string
		size time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if count := value / unit.size; count > 0 {
			text.WriteString(strconv.FormatInt(int64(count), 10) + unit.name)
			value -= count * unit.size
		}
	}
	if text.Len() == 0 {
		return "0s"
	}
	return Duration(text.String())
}

// Value returns the length of time. It is 0 for a text that the API server does not accept.
func (d Duration) Value() time.Duration {
	value, err := time.ParseDuration(string(d))
	if err != nil {
		return 0
	}
	return value
}

// ValueOr returns the length of time, or a default if there is none.
func (d *Duration) ValueOr(def time.Duration) time.Duration {
	if d == nil {
		return def
	}
	return d.Value()
}
