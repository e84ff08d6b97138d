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

// StopAPIServer kills the API server, as a machine failure would. Pods, their network and stored objects stay.
func (n *Node) StopAPIServer(ctx context.Context) error {
	id, alive := n.daemons.Find(component.APIServer)
	if !alive {
		return errors.New("the API server is not running")
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

// StartAPIServer starts the stopped API server and waits until it is ready.
func (n *Node) StartAPIServer(ctx context.Context, set assets.Set) error {
	if id, alive := n.daemons.Find(component.APIServer); alive {
		return fmt.Errorf("the API server is already running, as process %d", id.Pid)
	}
	r := &startup{node: n, specs: component.Cluster{State: n.State, Assets: set, Plan: n.Plan}.Specs(), set: set}
	if err := r.launch(component.APIServer); err != nil {
		return err
	}
	a, err := newAPIClient(n.Plan.APIServer(), n.State.Certs())
	if err != nil {
		return err
	}
	return await(ctx, 2*time.Minute, r.started, a.checkReady)
}
