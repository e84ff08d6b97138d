package faults

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

const (
	// accounts is the namespace of the ledger and its clients.
	accounts = "faults-ledger"
	// ledger is a server with two TCP ports.
	ledger = "ledger"
	// drainLimit is the time limit for the end of a session without permission. Sidecars drain for half a minute.
	drainLimit = 90 * time.Second
)

// ledgerPolicies let a client open sessions to one port of the ledger.
func ledgerPolicies(source, port string, number int) string {
	return fmt.Sprintf(`apiVersion: specs.smi-spec.io/v1alpha4
kind: TCPRoute
metadata: {name: %[2]s, namespace: faults-ledger}
spec: {matches: {ports: [%[3]d]}}
---
apiVersion: access.smi-spec.io/v1alpha3
kind: TrafficTarget
metadata: {name: %[1]s-%[2]s, namespace: faults-ledger}
spec:
  destination: {kind: ServiceAccount, name: ledger, namespace: faults-ledger}
  sources: [{kind: ServiceAccount, name: %[1]s, namespace: faults-ledger}]
  rules: [{kind: TCPRoute, name: %[2]s}]
---
`, source, port, number)
}

// TestPermissionIsWithdrawnWithoutControlPlane withdraws a permission while no replica runs. Those that start later must close the open
// session, and no session of another port.
func TestPermissionIsWithdrawnWithoutControlPlane(t *testing.T) {
	lab.RequireFull(t)
	withdrawn := ledgerPolicies(guest, "echo", lab.EchoPort)
	deployLedger(t, withdrawn+ledgerPolicies(buyer, "greet", lab.GreetPort), buyer, guest)
	lab.Must(t, awaitSession(t.Context(), guest, lab.EchoPort))
	lab.Must(t, awaitSession(t.Context(), buyer, lab.GreetPort, "--greeted"))
	closed := make(chan *report.Session, 1)
	go func() {
		// An error of the agent leaves an empty report, which is not the end of a session.
		result, _ := agentOf(t.Context(), accounts, guest).Session(t.Context(), ledgerAddress(lab.EchoPort), "--duration", drainLimit.String())
		closed <- result
	}()
	open, err := agentOf(t.Context(), accounts, buyer).StartSession(t.Context(), ledgerAddress(lab.GreetPort), "--greeted")
	lab.Must(t, err)
	wait(t, time.Second)

	replicas := podsOf(t, names.DefaultNamespace, names.Controller)
	resume := stopAndContinue(t, replicas, names.Controller)
	lab.Must(t, cluster.Remove(t.Context(), withdrawn))
	signal(t, replicas, names.Controller, syscall.SIGKILL)
	resume()
	if result := <-closed; result == nil || result.Failure == "" || result.Exchanges == 0 {
		t.Errorf("the session without permission is open after %s: %+v", drainLimit, result)
	}
	result, err := open.Stop(t.Context())
	lab.Must(t, err)
	if result.Failure != "" || result.Exchanges < 10 {
		t.Errorf("the session of another port was closed: %+v", result)
	}
}

// deployLedger deploys the ledger and its clients, and waits until they are ready.
func deployLedger(t *testing.T, policies string, clients ...string) {
	t.Helper()
	ctx := t.Context()
	t.Cleanup(func() {
		if err := cluster.DeleteNamespace(context.Background(), accounts); err != nil {
			t.Error(err)
		}
	})
	lab.Must(t, cluster.CreateNamespace(ctx, accounts, names.DefaultMesh))
	lab.Must(t, cluster.Put(ctx, policies))
	for _, name := range append([]string{ledger}, clients...) {
		account, pod := cluster.TestPod(accounts, name)
		lab.Must(t, cluster.Create(ctx, account, pod))
	}
	lab.Must(t, cluster.Create(ctx, lab.TestService(accounts, ledger)))
	lab.Must(t, cluster.PodsReady(ctx, podLimit, accounts))
}

func ledgerAddress(port int) string { return fmt.Sprintf("%s.%s:%d", ledger, accounts, port) }

// awaitSession waits until a client can open a session to a port of the ledger.
func awaitSession(ctx context.Context, name string, port int, args ...string) error {
	return awaitSessionAt(ctx, name, ledgerAddress(port), args...)
}

func awaitSessionAt(ctx context.Context, name, address string, args ...string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	agent := agentOf(ctx, accounts, name)
	return lab.Until(ctx, wellLimit, name+" can open a session", func(ctx context.Context) (bool, string, error) {
		result, err := agent.Session(ctx, address, args...)
		if err != nil {
			return false, "", err
		}
		return result.Failure == "", result.Error, nil
	})
}
