package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// Limits of token reviews for unauthenticated callers, with a client of their own.
const (
	reviewQPS   = 10
	reviewBurst = 20
)

// serveReport serves the state of this replica's sidecars to authorized callers.
func (p *program) serveReport(ctx context.Context) error {
	unknown, err := p.reviewClients()
	if err != nil {
		return err
	}
	known, err := p.reviewClients()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", names.ReportPort))
	if err != nil {
		return err
	}
	own := certificate.NewRenamedServerCertificate(p.authority.manager, time.Now, p.authority.serverNames(p.options.trustDomain, names.ReportCommonName))
	access := server.NewAccess(server.AccessConfig{
		Mesh: p.options.mesh, Unknown: unknown, Known: known, Now: time.Now,
	})
	return server.Serve(ctx, server.Config{
		Listener: listener, Certificate: own.Get, Handler: server.Handler(p.store, p.loads, p.authority.manager, access), OnClosed: p.limits.CountClosed,
	})
}

// reviewClients returns clients with a rate limit of their own.
func (p *program) reviewClients() (kubernetes.Interface, error) {
	config := rest.CopyConfig(p.config)
	config.QPS, config.Burst = reviewQPS, reviewBurst
	return kubernetes.NewForConfig(config)
}

// otherReplicas returns a client for the reports of the other replicas.
func (p *program) otherReplicas() *reportclient.Client {
	return reportclient.New(reportclient.Config{
		Replicas:    p.replicasExcept(os.Getenv("CONTROLLER_POD_NAME")),
		Token:       reportToken,
		Roots:       func() ([]byte, error) { return p.authority.manager.Root(), nil },
		TrustDomain: p.options.trustDomain,
	})
}

// replicasExcept returns a function that lists all replicas but the given one.
func (p *program) replicasExcept(own string) func(context.Context) ([]reportclient.Replica, error) {
	all := reportclient.Pods(p.manager.GetClient(), p.options.namespace)
	return func(ctx context.Context) ([]reportclient.Replica, error) {
		list, err := all(ctx)
		var others []reportclient.Replica
		for _, replica := range list {
			if replica.Name != own {
				others = append(others, replica)
			}
		}
		return others, err
	}
}

// reportToken returns the token for the report API of the other replicas, from a file that the kubelet renews.
func reportToken(context.Context) (string, error) {
	content, err := os.ReadFile(filepath.Join(names.ReportTokenDir, names.ReportTokenFile))
	return strings.TrimSpace(string(content)), err
}
