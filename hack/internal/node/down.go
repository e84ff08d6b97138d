package node

import (
	"context"
	"fmt"
	"strings"
)

// Down removes the cluster and everything it created on the machine, and verifies that nothing is left.
func (n *Node) Down(ctx context.Context) error {
	machine := n.Leftovers()
	found, err := machine.List(ctx)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		n.Report.Printf("there is no cluster, and there are no leftovers")
		return nil
	}
	if err := n.Report.Run(ctx, "removing the cluster", machine.Clean); err != nil {
		return err
	}
	left, err := machine.List(ctx)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("these leftovers could not be removed:\n  %s", strings.Join(left, "\n  "))
	}
	return nil
}
