package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/names"
	reportclient "github.com/openservicemesh/osm-operator/internal/report/client"
	"github.com/openservicemesh/osm-operator/internal/report/server"
)

// Limits of what strangers can make this process ask of the API server, apart from its own questions.
const (
	reviewQPS   = 10
	reviewBurst = 20
)

// serveReport tells whoever may know how far the sidecars are.
func (p *program) serveReport(ctx context.Context) error {
	config := rest.CopyConfig(p.config)
	config.QPS, config.Burst = reviewQPS, reviewBurst
	clients, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", names.ReportPort))
	if err != nil {
		return err
	}
	own := certificate.NewServerCertificate(p.authority.manager, time.Now, names.ReportCommonName(p.options.trustDomain))
	return server.Serve(ctx, listener, own.Get, server.Handler(p.store, p.loads, server.NewAccess(clients, time.Now)))
}

// otherReplicas asks the replicas of the control plane about their sidecars.
func (p *program) otherReplicas() *reportclient.Client {
	return reportclient.New(reportclient.Config{
		Replicas:    p.replicasBeside(os.Getenv("CONTROLLER_POD_NAME")),
		Token:       p.token,
		Roots:       func() ([]byte, error) { return p.authority.manager.Root(), nil },
		TrustDomain: p.options.trustDomain,
	})
}

// replicasBeside lists the replicas other than this one.
func (p *program) replicasBeside(own string) func(context.Context) ([]reportclient.Replica, error) {
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

// token is the one by which this process speaks to the API server; the kubelet renews its file.
func (p *program) token() (string, error) {
	if p.config.BearerTokenFile == "" {
		return p.config.BearerToken, nil
	}
	content, err := os.ReadFile(p.config.BearerTokenFile)
	return strings.TrimSpace(string(content)), err
}
