package v1alpha1_test

import (
	"math"
	"regexp"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
)

func TestDurationsHaveTheFormatOfTheGatewayAPI(t *testing.T) {
	for value, want := range map[time.Duration]v1alpha1.Duration{
		0: "0s", -time.Minute: "0s", time.Microsecond: "0s", time.Millisecond: "1ms", 90 * time.Second: "1m30s", 1500 * time.Millisecond: "1s500ms",
		360 * time.Hour: "360h", math.MaxInt64: "99999h",
	} {
		if got := v1alpha1.NewDuration(value); got != want {
			t.Errorf("%s becomes %q, want %q", value, got, want)
		}
	}
	format := regexp.MustCompile(`^([0-9]{1,5}(h|m|s|ms)){1,4}$`)
	rapid.Check(t, func(t *rapid.T) {
		value := time.Duration(rapid.Int64Range(0, int64(99999*time.Hour)).Draw(t, "value"))
		text := v1alpha1.NewDuration(value)
		if !format.MatchString(string(text)) {
			t.Errorf("%s becomes %q, which the API server rejects", value, text)
		}
		if back := text.Value(); back != value.Truncate(time.Millisecond) {
			t.Errorf("%s becomes %q, which is %s", value, text, back)
		}
	})
}

func TestAnAbsentDurationHasADefault(t *testing.T) {
	var absent *v1alpha1.Duration
	declared, wrong := v1alpha1.Duration("0s"), v1alpha1.Duration("soon")
	for _, test := range []struct {
		duration *v1alpha1.Duration
		want     time.Duration
	}{{absent, time.Minute}, {&declared, 0}, {&wrong, 0}} {
		if got := test.duration.ValueOr(time.Minute); got != test.want {
			t.Errorf("%v is %s, want %s", test.duration, got, test.want)
		}
	}
}

func TestPercentages(t *testing.T) {
	for percentage, want := range map[v1alpha1.Percentage]float64{"0%": 0, "0.5%": 0.005, "100%": 1, "many": 0} {
		if got := percentage.Share(); got != want {
			t.Errorf("%s is %g, want %g", percentage, got, want)
		}
	}
	if got := v1alpha1.NewPercentage(0.00123); got != "0.1230%" || got.Number() != "0.1230" {
		t.Errorf("0.00123 becomes %s, %s without its sign", got, got.Number())
	}
}
