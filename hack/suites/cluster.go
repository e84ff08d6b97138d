package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// stopTime is how long stopping the cluster may take.
const stopTime = 2 * time.Minute

// cluster builds the images and starts the local cluster, unless it runs already. The tests themselves put the images
// on it. With CLUSTER=current the cluster of the kubeconfig counts as running.
func (p *preparation) cluster(ctx context.Context) error {
	_, notRunning := p.hack(ctx, "./cluster", "status")
	if _, err := p.hack(ctx, "./images"); err != nil {
		return err
	}
	p.started = notRunning != nil
	if _, err := p.hack(ctx, "./cluster", "up"); err != nil || os.Getenv("CLUSTER") == "current" {
		return err
	}
	// Upgrades begin with a version before. Building it takes minutes once, which are not the tests'. In a clone without history
	// it cannot be built; then the tests of upgrades fail, and no others.
	if _, err := p.hack(ctx, "./cluster", "load-version"); err != nil {
		fmt.Fprintf(p.out, "the tests of upgrades will fail: %v\n", err)
	}
	return nil
}

// stop stops the cluster if the preparation started it.
func (p *preparation) stop() {
	if !p.started {
		return
	}
	// Whatever ended the run must not keep the cluster from being stopped.
	ctx, cancel := context.WithTimeout(context.Background(), stopTime)
	defer cancel()
	if _, err := p.hack(ctx, "./cluster", "down"); err != nil {
		fmt.Fprintf(p.out, "the cluster is left running: %v\n", err)
	}
}
