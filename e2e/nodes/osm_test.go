package nodes

import (
	"context"
	"fmt"
	"strings"
)

// osmPrints returns a check of lab.Until: whether the output of the osm command has all texts and none of others, and its exit code is one.
func osmPrints(code int, texts, absent []string, args ...string) func(context.Context) (bool, string, error) {
	return func(ctx context.Context) (bool, string, error) {
		printed, got, err := cluster.OSM(ctx, args...)
		done := got == code
		for _, text := range texts {
			done = done && strings.Contains(printed, text)
		}
		for _, text := range absent {
			done = done && !strings.Contains(printed, text)
		}
		return done, fmt.Sprintf("osm %s, exit code %d:\n%s", strings.Join(args, " "), got, printed), err
	}
}
