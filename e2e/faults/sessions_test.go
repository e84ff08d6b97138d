package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
)

const (
	// sessionClients is how many accounts have each a session at the ledger.
	sessionClients = 20
	// blip is how long the ledger is not ready. Sidecars drain for half a minute what they remove.
	blip = 45 * time.Second
)

// TestRevocationAmongManySessions withdraws the permission of one of twenty clients of a TCP port. Its session ends, and no other one.
func TestRevocationAmongManySessions(t *testing.T) {
	lab.RequireFull(t)
	var clients []string
	policies := ""
	for i := range sessionClients {
		name := fmt.Sprintf("client-%02d", i)
		clients, policies = append(clients, name), policies+ledgerPolicies(name, "echo", lab.EchoPort)
	}
	deployLedger(t, policies, clients...)
	sessions := openSessions(t, clients, ledgerAddress(lab.EchoPort))

	revoked := ledgerPolicies(clients[0], "echo", lab.EchoPort)
	lab.Must(t, cluster.Remove(t.Context(), revoked[strings.Index(revoked, "---")+len("---\n"):])) // the rule of the others stays
	start := time.Now()
	lab.Eventually(t, drainLimit, "the revoked client can open no session", func(ctx context.Context) (bool, string, error) {
		result, err := agentOf(ctx, accounts, clients[0]).Session(ctx, ledgerAddress(lab.EchoPort), "--duration", "1s")
		if err != nil {
			return false, "", err
		}
		return result.Failure != "", "it opens one", nil
	})
	wait(t, blip-time.Since(start))
	cut := 0
	for i, session := range sessions {
		result, err := session.Stop(t.Context())
		lab.Must(t, err)
		if result.Failure != "" {
			cut++
		}
		if ended := result.Failure != ""; ended != (i == 0) || result.Exchanges == 0 {
			t.Errorf("the session of %s: %+v", clients[i], result)
		}
	}
	t.Logf("one of %d clients is revoked: %d sessions cut", sessionClients, cut)
}

// TestReadinessOfDatabase makes a server with sessions not ready for a while. Clients of its headless Service, and of one with an address, keep their sessions.
func TestReadinessOfDatabase(t *testing.T) {
	lab.RequireFull(t)
	deployLedger(t, ledgerPolicies(buyer, "echo", lab.EchoPort)+ledgerPolicies(guest, "echo", lab.EchoPort), buyer, guest)
	headless := lab.TestService(accounts, ledger)
	headless.Name, headless.Spec.ClusterIP = ledger+"-pods", corev1.ClusterIPNone
	lab.Must(t, cluster.Create(t.Context(), headless))
	atPod := fmt.Sprintf("%s.%s:%d", headless.Name, accounts, lab.EchoPort)
	lab.Must(t, awaitSessionAt(t.Context(), guest, atPod))
	sessions := append(openSessions(t, []string{buyer}, ledgerAddress(lab.EchoPort)), openSessions(t, []string{guest}, atPod)...)

	server := agentOf(t.Context(), accounts, ledger)
	lab.Must(t, server.SetHealth(t.Context(), false))
	lab.Must(t, awaitLedgerReady(t.Context(), false))
	wait(t, blip)
	lab.Must(t, server.SetHealth(t.Context(), true))
	lab.Must(t, awaitLedgerReady(t.Context(), true))
	for i, session := range sessions {
		result, err := session.Stop(t.Context())
		lab.Must(t, err)
		if result.Failure != "" || result.Exchanges < 10 {
			t.Errorf("session %d ends while the server is not ready: %+v", i, result)
		}
	}
}

// awaitLedgerReady waits until the endpoints of the ledger have a readiness.
func awaitLedgerReady(ctx context.Context, want bool) error {
	return lab.Until(ctx, wellLimit, fmt.Sprintf("the readiness of the ledger is %v", want), func(ctx context.Context) (bool, string, error) {
		var slices discoveryv1.EndpointSliceList
		if err := cluster.Client.List(ctx, &slices, client.InNamespace(accounts)); err != nil {
			return false, "", err
		}
		for _, slice := range slices.Items {
			for _, endpoint := range slice.Endpoints {
				if ready := endpoint.Conditions.Ready; ready != nil && *ready != want {
					return false, "EndpointSlice " + slice.Name + " differs", nil
				}
			}
		}
		return true, "", nil
	})
}

// openSessions opens a session of each client to an address of the ledger.
func openSessions(t *testing.T, clients []string, address string) []*lab.Running[report.Session] {
	t.Helper()
	var sessions []*lab.Running[report.Session]
	for _, name := range clients {
		lab.Must(t, awaitSessionAt(t.Context(), name, address))
		running, err := agentOf(t.Context(), accounts, name).StartSession(t.Context(), address)
		lab.Must(t, err)
		sessions = append(sessions, running)
	}
	wait(t, time.Second)
	return sessions
}
