package backoff

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
)

// pollInterval is how often an absent API server is tried.
const pollInterval = 2 * time.Second

// AwaitAPIServer waits until the API server answers, and serves health meanwhile. A program that exits instead is restarted with growing
// delays, and stays away for minutes after a long outage.
func AwaitAPIServer(ctx context.Context, server discovery.ServerVersionInterface, serveHealth func(context.Context) error, log logr.Logger) error {
	if _, err := server.ServerVersion(); err == nil {
		return nil
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	served := make(chan error, 1)
	go func() { served <- serveHealth(waiting) }()
	err := wait.PollUntilContextCancel(waiting, pollInterval, true, func(context.Context) (bool, error) {
		_, err := server.ServerVersion()
		if err != nil {
			log.Info("waiting for the API server", "reason", err.Error())
		}
		return err == nil, nil
	})
	stop()
	// The address must be free for the program.
	return errors.Join(err, <-served)
}
