package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/platform/prometheus"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	reportclient "github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

// pagePort is the default port of the page of a mesh.
const pagePort = 9080

// servePage serves the page of a mesh on a loopback port until ctx ends. Everything on it is read as the user of the kubeconfig.
func (a *app) servePage(ctx context.Context, c client.Client, m mesh, local int, browser bool) error {
	source := &pageSource{app: a, client: c, mesh: m.Name, ctx: ctx}
	defer source.disconnect()
	reader := page.Reader{
		Client: c, Now: a.now, Metrics: prometheus.New(nil),
		Mesh: source.summary, Settings: source.settings, Sidecars: source.sidecars, Loads: source.loads, Changes: source.changes, Prometheus: source.prometheus,
		Disconnect: source.disconnect,
		Denials:    source.denials, Logs: source.log, Samples: &page.Sampler{Logs: source.log, Now: a.now},
	}
	handler, err := page.New(page.Source{Read: reader.Read, Requests: reader.Requests, Trace: reader.Trace, Now: a.now})
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(local)))
	if err != nil {
		return fmt.Errorf("port %d cannot be opened: %w: select another one by -p, 0 for any", local, err)
	}
	secret := page.NewSecret()
	server := &http.Server{
		Handler: page.RequireSecret(handler, secret), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	a.announce(ctx, page.Address("http://"+listener.Addr().String(), secret), browser)
	if err := server.Serve(listener); ctx.Err() == nil {
		return err
	}
	return nil
}

// pageSource reads what the page shows. Reports come through forwarded ports, which are kept until a replica does not respond.
type pageSource struct {
	app    *app
	client client.Client
	mesh   string
	ctx    context.Context //nolint:containedctx // that of the command, for forwarded ports

	mu      sync.Mutex
	current mesh
	// forwarding ends with the forwarded ports of reports and metrics.
	forwarding context.Context //nolint:containedctx // see above
	close      context.CancelFunc
	reports    *reportclient.Client
	metrics    *prometheus.Target
}

// summary reads the mesh again, because members and versions change.
func (s *pageSource) summary(ctx context.Context) (page.Mesh, error) {
	m, err := s.app.oneMesh(ctx, s.client, s.mesh)
	if err != nil {
		return page.Mesh{}, s.app.kube.Sentence(err)
	}
	s.mu.Lock()
	s.current = m
	s.mu.Unlock()
	return page.Mesh{
		Name: m.Name, Namespace: m.Namespace, Version: m.Version, Ready: m.Ready, Reason: m.Reason, Message: m.Message, Members: m.Members,
	}, nil
}

func (s *pageSource) settings(ctx context.Context) (page.Settings, error) {
	s.mu.Lock()
	m := s.current
	s.mu.Unlock()
	config, err := meshConfig(ctx, s.client, m)
	if err != nil {
		return page.Settings{}, s.app.kube.Sentence(err)
	}
	settings, _ := ingest.MeshConfig(config)
	return page.Settings{Permissive: settings.Permissive, Egress: settings.Egress, Logged: tap.ShareOf(settings)}, nil
}

// connected returns a client of the replicas.
func (s *pageSource) connected() (*reportclient.Client, mesh) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reports == nil {
		s.forwarding, s.close = context.WithCancel(s.ctx)
		s.reports = s.app.reports(s.forwarding, s.client, s.current)
	}
	return s.reports, s.current
}

// disconnect closes forwarded ports, so that the next read opens new ones with new tokens.
func (s *pageSource) disconnect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.close != nil {
		s.close()
	}
	s.reports, s.close, s.metrics = nil, nil, nil
}

func (s *pageSource) sidecars(ctx context.Context) ([]page.Sidecar, []string, error) {
	reports, m := s.connected()
	answers, err := reports.Proxies(ctx)
	if err != nil {
		s.disconnect()
		return nil, nil, s.app.kube.Sentence(err)
	}
	found, problems := connectedSidecars(answers, "")
	if len(problems) > 0 {
		s.disconnect()
	}
	missing, err := disconnectedSidecars(ctx, s.client, m, "", found)
	if err != nil {
		problems = append(problems, fmt.Sprintf("Pods cannot be listed to find sidecars that are not connected: %v", s.app.kube.Sentence(err)))
	}
	all := make([]page.Sidecar, 0, len(found)+len(missing))
	for _, one := range append(found, missing...) {
		if one.State == stateDisconnected && len(problems) > 0 {
			one.State = stateUnknown
		}
		all = append(all, page.SidecarOf(one.Proxy, one.State, textOnPage(one), one.Replica))
	}
	return all, problems, nil
}

// textOnPage is the text of an Envoy after its state, with its role in a pod that has two.
func textOnPage(one connected) string {
	if one.Role == "" || one.Role == report.Serving {
		return one.Text
	}
	return strings.TrimSpace(string(one.Role) + " " + one.Text)
}

func (s *pageSource) loads(ctx context.Context) ([]report.Load, bool, error) {
	reports, _ := s.connected()
	answers, err := reports.Loads(ctx)
	if err != nil {
		return nil, false, s.app.kube.Sentence(err)
	}
	sum := reportclient.TotalLoads(answers)
	return sum.Loads, sum.Complete(), nil
}

func (s *pageSource) changes(ctx context.Context) ([]report.Changes, error) {
	reports, _ := s.connected()
	answers, err := reports.Changes(ctx)
	if err != nil {
		return nil, s.app.kube.Sentence(err)
	}
	var all []report.Changes
	for _, answer := range answers {
		if answer.Err == nil {
			all = append(all, answer.Value)
		}
	}
	return all, nil
}

// denials reads what policies denied. A control plane of an earlier version does not report it.
func (s *pageSource) denials(ctx context.Context) ([]report.Denial, error) {
	reports, _ := s.connected()
	answers, err := reports.Denials(ctx)
	if err != nil {
		return nil, s.app.kube.Sentence(err)
	}
	all, unknown := reportclient.TotalDenials(answers)
	if len(answers) == len(unknown) {
		return nil, nil
	}
	return append([]report.Denial{}, all...), nil
}

// log opens the access log of a sidecar with the permissions of the user.
func (s *pageSource) log(ctx context.Context, sidecar tap.Sidecar, options page.LogOptions) (io.ReadCloser, error) {
	logs, err := s.app.kube.Clientset()
	if err != nil {
		return nil, err
	}
	stream, err := logs.CoreV1().Pods(sidecar.Namespace).GetLogs(sidecar.Name, &corev1.PodLogOptions{
		Container: containerOf(sidecar), TailLines: &options.Lines, SinceSeconds: ptr.To(int64(options.Since.Seconds())),
	}).Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("the log of the sidecar in pod %s/%s cannot be read: %w", sidecar.Namespace, sidecar.Name, s.app.kube.Sentence(err))
	}
	return stream, nil
}

// prometheus returns the server in the namespace of the mesh, if one runs.
func (s *pageSource) prometheus(context.Context) (prometheus.Target, bool) {
	_, m := s.connected()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.metrics == nil {
		target, err := s.app.prometheusOf(s.forwarding, s.client, m, "")
		if err != nil {
			return prometheus.Target{}, false
		}
		s.metrics = &target
	}
	return *s.metrics, true
}
