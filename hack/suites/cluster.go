package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// stopTimeout is the time limit for stopping the cluster.
const stopTimeout = 2 * time.Minute

// cluster builds the images and starts the local cluster, unless it is running. The tests load the images themselves.
// With CLUSTER=current the kubeconfig's cluster counts as running.
func (p *preparation) cluster(ctx context.Context) error {
	_, notRunning := p.hack(ctx, "./cluster", "status")
	if _, err := p.hack(ctx, "./images"); err != nil {
		return err
	}
	p.started = notRunning != nil
	if _, err := p.hack(ctx, "./cluster", "up"); err != nil || os.Getenv("CLUSTER") == "current" {
		return err
	}
	// Upgrade tests start from a recorded version. Building it takes minutes once, and counts as preparation. A clone
	// without history cannot build it; then only the upgrade tests fail.
	if _, err := p.hack(ctx, "./cluster", "load-version"); err != nil {
		fmt.Fprintf(p.out, "the upgrade tests will fail: %v\n", err)
	}
	return nil
}

// stop stops the cluster if the preparation started it.
func (p *preparation) stop() {
	if !p.started {
		return
	}
	// The cluster is stopped even when the run's context has ended.
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	if _, err := p.hack(ctx, "./cluster", "down"); err != nil {
		fmt.Fprintf(p.out, "cannot stop the cluster, it is still running: %v\n", err)
	}
}
