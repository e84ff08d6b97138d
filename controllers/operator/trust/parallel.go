package trust

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// parallel is how many namespaces are served at a time. answerTimeout limits one: an admission webhook that hangs delays its own namespace.
	// Together 150 such namespaces fit into the time of a reconciliation.
	parallel      = 16
	answerTimeout = 10 * time.Second
)

// forEach calls a function for each namespace, and returns what failed, in the order of the namespaces.
func forEach(ctx context.Context, namespaces []string, serve func(context.Context, string) error) []rejection {
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
