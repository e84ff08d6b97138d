package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/openservicemesh/osm-operator/e2e/demo/current"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/tour"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Time limits of single steps on a slow machine.
const (
	meshLimit      = 5 * time.Minute
	workloadsLimit = 5 * time.Minute
	trafficLimit   = 2 * time.Minute
)

// withObservability is the value of WITH that adds Prometheus and Jaeger.
const withObservability = "observability"

// unusedImages are images that neither the demo nor the pages that continue from it start. This one contains a policy engine, which takes long to compile.
const unusedImages = "osm-test-authorizer"

// options are the flags of up.
type options struct {
	// observed adds Prometheus and Jaeger.
	observed bool
	// registry is where the current cluster pulls the images of the project; empty is the default registry.
	registry string
	// yes installs into the current cluster without a question.
	yes bool
}

// up runs the whole demo. Each step is idempotent, so a second run is fast.
func up(ctx context.Context, p *progress, o options) error {
	p.steps = stepsOf(lab.IsCurrent(), o)
	cluster, err := prepare(ctx, p, o)
	if err != nil {
		return err
	}
	if err := installMesh(ctx, p, cluster, o); err != nil {
		return err
	}
	if err := installBookstore(ctx, p, cluster, o); err != nil {
		return err
	}
	if o.observed {
		p.begin(observabilityStep)
		p.printf("  metrics: %s", tour.EnableMetrics)
		if err := tour.Enable(ctx, cluster, p.out); err != nil {
			return err
		}
	}
	p.begin(trafficStep)
	if err := show(ctx, p, cluster); err != nil {
		return err
	}
	if o.observed {
		if err := showTour(ctx, p, cluster); err != nil {
			return err
		}
	}
	return printNextSteps(p, cluster)
}

// prepare returns a cluster that has, or can pull, the images of the project.
func prepare(ctx context.Context, p *progress, o options) (*lab.Cluster, error) {
	if lab.IsCurrent() {
		return prepareCurrent(ctx, p, o)
	}
	p.begin(clusterStep)
	repository, err := lab.FindRepository()
	if err != nil {
		return nil, err
	}
	// Kubernetes shares many packages with the project. Two runs of the go command at the same time would compile them twice.
	if _, err := repository.ToolOutput(ctx, "./cluster", "assets"); err != nil {
		return nil, err
	}
	// While the cluster starts, the images are built.
	var cluster *lab.Cluster
	both, bothCtx := errgroup.WithContext(ctx)
	both.Go(func() error { return repository.Tool(bothCtx, p.out, "./images", "-without", unusedImages) })
	both.Go(func() (err error) {
		cluster, err = lab.Start(bothCtx, p.out)
		p.begin(imagesStep)
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, err
	}
	if err := cluster.LoadImages(ctx, p.out); err != nil {
		return nil, err
	}
	p.begin(commandStep)
	return cluster, cluster.Repository.BuildOSM(ctx, p.out)
}

// installMesh installs the operator and the sample mesh.
func installMesh(ctx context.Context, p *progress, cluster *lab.Cluster, o options) error {
	p.begin(operatorStep)
	if err := installOperator(ctx, cluster, o); err != nil {
		return err
	}
	p.begin(meshStep)
	if lab.IsCurrent() {
		if err := current.MarkMesh(ctx, cluster.Client); err != nil {
			return err
		}
	}
	if err := cluster.ApplyFile(ctx, "config", "samples", "operator_v1alpha1_mesh.yaml"); err != nil {
		return err
	}
	// On a second run, rebuilt programs replace the running ones.
	if !lab.IsCurrent() {
		if err := cluster.RenewPods(ctx, names.OperatorNamespace, names.DefaultNamespace); err != nil {
			return err
		}
	}
	return cluster.MeshReady(ctx, names.DefaultMesh, meshLimit)
}

// installOperator applies the manifests of the operator, with the images of the registry in the current cluster.
func installOperator(ctx context.Context, cluster *lab.Cluster, o options) error {
	if o.registry == "" {
		return cluster.InstallOperator(ctx, workloadsLimit)
	}
	manifests, err := os.ReadFile(cluster.Repository.Path("dist", "install.yaml"))
	if err != nil {
		return err
	}
	text := current.WithRegistry(string(manifests), o.registry)
	if _, err := cluster.KubectlInput(ctx, text, "apply", "--server-side", "--force-conflicts", "-f", "-"); err != nil {
		return err
	}
	return cluster.Available(ctx, workloadsLimit, names.OperatorNamespace)
}

// installBookstore deploys the bookstore in the mesh.
func installBookstore(ctx context.Context, p *progress, cluster *lab.Cluster, o options) error {
	p.begin(bookstoreStep)
	// Namespaces of an earlier demo that are being deleted would take the new objects with them.
	for _, name := range current.Namespaces() {
		if _, err := cluster.HasNamespace(ctx, workloadsLimit, name); err != nil {
			return err
		}
	}
	manifests, err := cluster.Kubectl(ctx, "kustomize", cluster.Repository.Path("config", "samples", "bookstore"))
	if err != nil {
		return err
	}
	if err := cluster.Apply(ctx, current.WithRegistry(manifests, o.registry)); err != nil {
		return err
	}
	return cluster.Available(ctx, workloadsLimit, current.Namespaces()...)
}

func reportAgain(ctx context.Context, p *progress) error {
	cluster, err := lab.Connect(ctx)
	if err != nil {
		return err
	}
	return show(ctx, p, cluster)
}

// down removes the cluster or, with CLUSTER=current, what the demo has created in it.
func down(ctx context.Context, p *progress) error {
	if lab.IsCurrent() {
		return removeFromCurrent(ctx, p)
	}
	repository, err := lab.FindRepository()
	if err != nil {
		return err
	}
	return repository.Tool(ctx, p.out, "./cluster", "down")
}

func printNextSteps(p *progress, cluster *lab.Cluster) error {
	suffix := ""
	if lab.IsCurrent() {
		suffix = " CLUSTER=current"
	}
	p.printf(`
Next steps:

  export KUBECONFIG=%s PATH=%s:%s:$PATH

  the mesh         osm dashboard mesh                                                 http://localhost:9080
  its requests     osm tap -n bookstore
  web pages        kubectl port-forward -n bookbuyer deploy/bookbuyer 8080:14001      http://localhost:8080
                   kubectl port-forward -n bookthief deploy/bookthief 8083:14001      http://localhost:8083
                   kubectl port-forward -n bookstore deploy/bookstore-v1 8084:14001   http://localhost:8084
  allow the thief  kubectl apply -f config/samples/bookstore/extras/allow-bookthief.yaml
  move the split   kubectl edit trafficsplit -n bookstore bookstore-split
  permissive mode  kubectl patch meshconfig -n osm-system osm-mesh-config --type merge -p '{"spec":{"traffic":{"enablePermissiveTrafficPolicyMode":true}}}'
  cert-manager     %s
                   %s
  table again      make demo-report
  clean up         make demo-down%s`, cluster.Kubeconfig, cluster.Repository.Path("bin"), cluster.Tools(), lab.InstallCertManager, lab.UseCertManager, suffix)
	return nil
}

// stepsOf returns the steps of a run, in order.
func stepsOf(current bool, o options) []step {
	steps := []step{clusterStep, imagesStep, commandStep}
	if current {
		steps = []step{commandStep, checkStep}
	}
	steps = append(steps, operatorStep, meshStep, bookstoreStep)
	if o.observed {
		steps = append(steps, observabilityStep)
	}
	return append(steps, trafficStep)
}

// step is a part of the demo that takes a while.
type step struct {
	name string
	// does is what happens, with the command that a user would run.
	does string
	// usual is the time on two cores: first with an empty cache, then later.
	usual string
}

// The steps in order.
var (
	clusterStep       = step{"cluster", "start a one-node Kubernetes on this machine", "15 s; 10 minutes the first time, which builds Kubernetes"}
	imagesStep        = step{"images", "build the images of the project and load them", "20 s; 4 minutes the first time"}
	commandStep       = step{"osm", "make osm, which builds bin/osm", "5 s; half a minute the first time"}
	checkStep         = step{"check", "bin/osm check --pre-install", "5 s"}
	operatorStep      = step{"operator", "kubectl apply --server-side -f dist/install.yaml", "10 s"}
	meshStep          = step{"mesh", "kubectl apply -f config/samples/operator_v1alpha1_mesh.yaml, and wait until it is Ready", "15 s"}
	bookstoreStep     = step{"bookstore", "kubectl apply -k config/samples/bookstore, and wait for its pods", "30 s"}
	observabilityStep = step{"observability", "Prometheus, Jaeger and traces", "one minute; 10 minutes the first time, which builds both"}
	trafficStep       = step{"traffic", "count requests, until 40 books are bought without a failure", "30 s"}
)
