package main

import (
	"context"
	"time"

	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Time limits of single steps on a slow machine.
const (
	meshLimit      = 5 * time.Minute
	workloadsLimit = 5 * time.Minute
	trafficLimit   = 2 * time.Minute
)

// withObservability is the value of WITH that adds Prometheus and Jaeger.
const withObservability = "observability"

// up runs the whole demo, with Prometheus and Jaeger if observed. Each step is idempotent, so a second run is fast.
func up(ctx context.Context, p *progress, observed bool) error {
	p.step("cluster")
	cluster, err := lab.Start(ctx, p.out)
	if err != nil {
		return err
	}
	p.step("images")
	if err := cluster.BuildImages(ctx, p.out); err != nil {
		return err
	}
	p.step("operator: kubectl apply -f dist/install.yaml")
	if err := cluster.InstallOperator(ctx, workloadsLimit); err != nil {
		return err
	}
	p.step("mesh: kubectl apply -f config/samples/operator_v1alpha1_mesh.yaml")
	if err := cluster.ApplyFile(ctx, "config", "samples", "operator_v1alpha1_mesh.yaml"); err != nil {
		return err
	}
	// On a second run, rebuilt programs replace the running ones.
	if err := cluster.RenewPods(ctx, names.OperatorNamespace, names.DefaultNamespace); err != nil {
		return err
	}
	if err := cluster.MeshReady(ctx, names.DefaultMesh, meshLimit); err != nil {
		return err
	}
	p.step("mesh is Ready; bookstore: kubectl apply -k config/samples/bookstore")
	// Namespaces of an earlier demo that are being deleted would take the new objects with them.
	for _, name := range namespaces {
		if _, err := cluster.HasNamespace(ctx, workloadsLimit, name); err != nil {
			return err
		}
	}
	if err := cluster.ApplyFolder(ctx, "config", "samples", "bookstore"); err != nil {
		return err
	}
	if err := cluster.Available(ctx, workloadsLimit, namespaces...); err != nil {
		return err
	}
	if observed {
		p.step("Prometheus, Jaeger and traces; metrics: %s", tour.EnableMetrics)
		if err := tour.Enable(ctx, cluster, p.out); err != nil {
			return err
		}
	}
	p.step("bookstore is ready; watching its traffic")
	if err := show(ctx, p, cluster); err != nil {
		return err
	}
	if observed {
		if err := showTour(ctx, p, cluster); err != nil {
			return err
		}
	}
	return printNextSteps(p, cluster)
}

func reportAgain(ctx context.Context, p *progress) error {
	repository, err := lab.FindRepository()
	if err != nil {
		return err
	}
	cluster, err := lab.Connect(ctx, repository)
	if err != nil {
		return err
	}
	return show(ctx, p, cluster)
}

// down removes the cluster or, with CLUSTER=current, the objects of the demo.
func down(ctx context.Context, p *progress) error {
	repository, err := lab.FindRepository()
	if err != nil {
		return err
	}
	if !lab.IsCurrent() {
		return repository.Tool(ctx, p.out, "./cluster", "down")
	}
	cluster, err := lab.Connect(ctx, repository)
	if err != nil {
		return err
	}
	p.step("bookstore")
	if _, err := cluster.Kubectl(ctx, "delete", "--ignore-not-found", "-k", repository.Path("config", "samples", "bookstore")); err != nil {
		return err
	}
	p.step("mesh")
	if _, err := cluster.Kubectl(ctx, "delete", "--ignore-not-found", "mesh", names.DefaultMesh); err != nil {
		return err
	}
	p.step("operator")
	return cluster.UninstallOperator(ctx)
}

func printNextSteps(p *progress, cluster *lab.Cluster) error {
	p.printf(`
Next steps:

  export KUBECONFIG=%s PATH=%s:$PATH

  the mesh         go run ./cmd/osm dashboard mesh                                    http://localhost:9080
  its requests     go run ./cmd/osm tap -n bookstore
  web pages        kubectl port-forward -n bookbuyer deploy/bookbuyer 8080:14001      http://localhost:8080
                   kubectl port-forward -n bookthief deploy/bookthief 8083:14001      http://localhost:8083
                   kubectl port-forward -n bookstore deploy/bookstore-v1 8084:14001   http://localhost:8084
  allow the thief  kubectl apply -f config/samples/bookstore/extras/allow-bookthief.yaml
  move the split   kubectl edit trafficsplit -n bookstore bookstore-split
  permissive mode  kubectl patch meshconfig -n osm-system osm-mesh-config --type merge -p '{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":true}}}'
  cert-manager     %s
                   %s
  table again      go run ./e2e/demo report
  clean up         make demo-down`, cluster.Kubeconfig, cluster.Tools(), lab.InstallCertManager, lab.UseCertManager)
	return nil
}
