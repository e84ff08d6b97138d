package translate

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/utils/ptr"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// defaultConditions are repeated in every case.
var defaultConditions = strings.Split(retry.DefaultConditions, ",")

// retriedCodes returns the status codes of retry conditions. The conditions of a route always include connections that fail.
func retriedCodes(conditions string) ([]uint32, error) {
	repeatsResets := false
	codes := map[uint32]struct{}{}
	add := func(first, last uint32) {
		for code := first; code <= last; code++ {
			codes[code] = struct{}{}
		}
	}
	for condition := range strings.SplitSeq(conditions, ",") {
		switch condition {
		case "5xx":
			repeatsResets = true
			add(500, 599)
		case "gateway-error":
			repeatsResets = true
			add(502, 504)
		case "reset":
			repeatsResets = true
		case "retriable-4xx":
			add(409, 409)
		default:
			if !slices.Contains(defaultConditions, condition) {
				return nil, fmt.Errorf("retryOn has %s, and a route can name only status codes", condition)
			}
		}
	}
	if !repeatsResets {
		return nil, errors.New("retryOn has none of reset, 5xx and gateway-error, and a route with retries always repeats requests whose connection is reset")
	}
	return slices.Sorted(maps.Keys(codes)), nil
}

// retryConditions returns the conditions for the status codes of a route.
func retryConditions(codes []uint32) (string, error) {
	codes = slices.Sorted(slices.Values(codes))
	for _, conditions := range []string{
		"reset", "gateway-error,reset", "5xx,reset", "reset,retriable-4xx",
		"gateway-error,reset,retriable-4xx", "5xx,reset,retriable-4xx",
	} {
		if own, err := retriedCodes(conditions); err == nil && slices.Equal(own, codes) {
			return conditions, nil
		}
	}
	return "", errors.New("a Retry can name only all of 500 to 599, all of 502 to 504, and 409 as status codes")
}

// isDefault reports whether a policy repeats the same requests as no policy. Only the time of each attempt may differ.
func isDefault(p retry.Settings) bool {
	for condition := range strings.SplitSeq(p.On, ",") {
		if !slices.Contains(defaultConditions, condition) {
			return false
		}
	}
	return p.Count == retry.DefaultCount && p.BackoffBase == 0
}

// checkRetry returns why a route cannot express a policy.
func checkRetry(p retry.Settings) error {
	for field, value := range map[string]time.Duration{"perTryTimeout": p.PerTryTimeout, "retryBackoffBaseInterval": p.BackoffBase} {
		if _, ok := gatewayDuration(value); !ok {
			return fmt.Errorf("%s is %s, and a route can have only whole milliseconds", field, value)
		}
	}
	if isDefault(p) {
		return nil
	}
	_, err := retriedCodes(p.On)
	return err
}

// retryObject returns the fields of a rule for a policy.
func retryObject(p *retry.Settings) (*gatewayv1.HTTPRouteRetry, *gatewayv1.HTTPRouteTimeouts) {
	if p == nil {
		return nil, nil
	}
	var timeouts *gatewayv1.HTTPRouteTimeouts
	if d, _ := gatewayDuration(p.PerTryTimeout); p.PerTryTimeout > 0 {
		timeouts = &gatewayv1.HTTPRouteTimeouts{BackendRequest: ptr.To(gatewayv1.Duration(d))}
	}
	if isDefault(*p) {
		return nil, timeouts
	}
	retry := &gatewayv1.HTTPRouteRetry{Attempts: ptr.To(int(p.Count))}
	codes, _ := retriedCodes(p.On)
	for _, code := range codes {
		retry.Codes = append(retry.Codes, gatewayv1.HTTPRouteRetryStatusCode(code))
	}
	if d, _ := gatewayDuration(p.BackoffBase); p.BackoffBase > 0 {
		retry.Backoff = ptr.To(gatewayv1.Duration(d))
	}
	return retry, timeouts
}

// gatewayDuration formats a duration as the Gateway API: up to five digits of each unit, down to milliseconds.
func gatewayDuration(d time.Duration) (string, bool) {
	if d == 0 {
		return "0s", true
	}
	text := ""
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}} {
		if n := d / unit.length; n > 0 {
			text += fmt.Sprintf("%d%s", n, unit.name)
			d %= unit.length
		}
	}
	return text, d == 0 && len(text) < 16
}
