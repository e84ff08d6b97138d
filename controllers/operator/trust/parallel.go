package trust

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// Parallel is how many namespaces are served at a time. Together 150 namespaces whose admission webhooks hang fit into the time of a
	// reconciliation.
	Parallel = 16
	// answerTimeout limits one: an admission webhook that hangs delays its own namespace.
	answerTimeout = 10 * time.Second
)

// forEach calls a function for each namespace, a number of them at a time, and returns what failed, in the order of the namespaces.
func forEach(ctx context.Context, parallel int, namespaces []string, serve func(context.Context, string) error) []rejection {
	answers := make([]error, len(namespaces))
	var group errgroup.Group
	group.SetLimit(parallel)
	for i, namespace := range namespaces {
		group.Go(func() error {
			attempt, cancel := context.WithTimeout(ctx, answerTimeout)
			defer cancel()
			answers[i] = serve(attempt, namespace)
			return nil
		})
	}
	_ = group.Wait() // the answers are in their places
	var rejections []rejection
	for i, err := range answers {
		if err != nil {
			rejections = append(rejections, rejection{namespaces[i], err})
		}
	}
	return rejections
}
