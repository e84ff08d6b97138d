package lab

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/report"
)

// Consecutive is how many requests in a row AwaitOutcome requires.
const Consecutive = 4

// AwaitOutcome sends requests until some in a row have an outcome, and returns the report of those. One request is not enough: the threads of
// a sidecar apply a change one after the other, so a request with the new outcome may come before one with the old.
func (a *Agent) AwaitOutcome(ctx context.Context, limit time.Duration, url, want string, args ...string) (result *report.Requests, err error) {
	args = append([]string{"--count", strconv.Itoa(Consecutive)}, args...)
	err = Until(ctx, limit, a.pod+" calls "+url+" and gets "+want, func(ctx context.Context) (_ bool, _ string, err error) {
		if result, err = a.Requests(ctx, url, args...); err != nil {
			return false, "", err
		}
		return result.Outcomes[want] == Consecutive, fmt.Sprint(result.Outcomes, result.Errors), nil
	})
	return result, err
}
