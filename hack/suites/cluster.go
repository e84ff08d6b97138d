package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
)

// clusterVariable is set by those who bring a cluster of their own: with the value "existing" the one that KUBECONFIG
// names is used, and none is started.
const clusterVariable = "CLUSTER"

// stopTime is how long stopping the cluster may take.
const stopTime = 2 * time.Minute

// cluster builds the images, starts the local cluster unless it runs already, and loads them.
func (p *preparation) cluster(ctx context.Context) error {
	if os.Getenv(clusterVariable) == "existing" {
		return nil
	}
	before, err := p.clusterEnv(ctx)
	if _, err := p.hack(ctx, "./images"); err != nil {
		return err
	}
	if _, err := p.hack(ctx, "./cluster", "up"); err != nil {
		return err
	}
	p.started = err != nil || before == ""
	after, err := p.clusterEnv(ctx)
	if err != nil {
		return err
	}
	p.env = append(p.env, strings.Fields(after)...)
	return nil
}

// clusterEnv returns the variables that lead to the running cluster.
func (p *preparation) clusterEnv(ctx context.Context) (string, error) {
	return p.hack(ctx, "./cluster", "env")
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
