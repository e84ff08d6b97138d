package node

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/openservicemesh/osm-operator/hack/internal/assets"
	"github.com/openservicemesh/osm-operator/hack/internal/component"
)

// StopAPIServer ends the API server at once, as the failure of a machine would, and leaves everything else as it is: pods, their network
// and what is stored.
func (n *Node) StopAPIServer(ctx context.Context) error {
	id, alive := n.daemons.Find(component.APIServer)
	if !alive {
		return errors.New("the API server does not run")
	}
	if err := syscall.Kill(id.Pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("cannot stop the API server, process %d: %w", id.Pid, err)
	}
	return await(ctx, 10*time.Second, nil, func(context.Context) error {
		if n.daemons.Proc.Alive(id) {
			return fmt.Errorf("process %d has not ended", id.Pid)
		}
		return nil
	})
}

// StartAPIServer starts an API server that was stopped, and waits until it serves.
func (n *Node) StartAPIServer(ctx context.Context, set assets.Set) error {
	if id, alive := n.daemons.Find(component.APIServer); alive {
		return fmt.Errorf("the API server runs already, as process %d", id.Pid)
	}
	r := &run{node: n, specs: component.Cluster{State: n.State, Assets: set, Plan: n.Plan}.Specs(), set: set}
	if err := r.launch(component.APIServer); err != nil {
		return err
	}
	a, err := newAPI(n.Plan.APIServer(), n.State.Certs())
	if err != nil {
		return err
	}
	return await(ctx, 2*time.Minute, r.started, a.ready)
}
