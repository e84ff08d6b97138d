package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/reservation"
)

// stopTimeout is the time limit for stopping the cluster.
const stopTimeout = 2 * time.Minute

// cluster builds the images and starts the local cluster, unless it is running. The tests load the images themselves.
// With CLUSTER=current the kubeconfig's cluster counts as running.
func (p *preparation) cluster(ctx context.Context) error {
	if err := p.reserve(ctx); err != nil {
		return err
	}
	_, notRunning := p.hack(ctx, "./cluster", "status")
	if _, err := p.hack(ctx, "./images"); err != nil {
		return err
	}
	// The certificate tests install cert-manager.
	if _, err := p.hack(ctx, "./cluster", "cert-manager", "build"); err != nil {
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

// reserve reserves the local cluster until the run ends, so that no other run takes it away from the tests.
func (p *preparation) reserve(ctx context.Context) error {
	if os.Getenv("CLUSTER") == "current" {
		return nil
	}
	held, err := reservation.Acquire(ctx, reservation.File, reservation.Describe("make test", time.Now()), os.Getenv(reservation.Variable), func(holder string) {
		fmt.Fprintf(p.out, "waiting: the local cluster is in use by %s\n", holder)
	})
	if err != nil {
		return err
	}
	p.reserved = held
	p.env = append(p.env, reservation.Variable+"="+held.ID)
	return nil
}

// stop stops the cluster if the preparation started it, and ends its reservation.
func (p *preparation) stop() {
	if p.reserved != nil {
		defer p.reserved.Release()
	}
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
