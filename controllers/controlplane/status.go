package controlplane

import (
	"context"
	"net"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/backendtls"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/egressgateway"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/gateway"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/status"
	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// statusWriter writes the status and Events of policies while this replica holds the Lease.
type statusWriter struct {
	leader     *status.Leader
	rejections *status.Rejections
	events     *status.EventReporter
}

// newStatusWriter adds the controllers that write status to mgr.
func (c *ControlPlane) newStatusWriter(mgr manager.Manager, definitions *traffic.Definitions) (*statusWriter, error) {
	own := func() report.Rejections {
		return server.Rejections(c.store.Rejections(), c.loads.Failures(), c.store.LimitedPolicies())
	}
	leader, rejections := &status.Leader{}, status.NewRejections(own, c.otherReplicas(mgr.GetClient()).Rejections, time.Now)
	c.store.OnRejections(rejections.Changed)
	events := status.NewEventReporter(mgr.GetClient(), mgr.GetEventRecorder(names.Controller), leader, c.config.Mesh, c.log.WithName("status"))
	if err := c.addGateways(mgr, definitions, leader, rejections); err != nil {
		return nil, err
	}
	err := status.Writers{
		Leader: leader, Rejections: rejections, Mesh: c.config.Mesh, Namespace: c.config.Namespace, LookupHost: net.DefaultResolver.LookupHost,
		Mirror: c.mirror, Definitions: definitions,
	}.Setup(mgr)
	return &statusWriter{leader, rejections, events}, err
}

// addGateways adds the controllers of gateways and of BackendTLSPolicies, which read Secrets and ConfigMaps for the store too.
func (c *ControlPlane) addGateways(mgr manager.Manager, definitions *traffic.Definitions, leader *status.Leader, rejections *status.Rejections) error {
	gateways := &gateway.Reconciler{
		Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Leading: leader.Leading, Sink: c.sink(), Mesh: c.config.Mesh, Namespace: c.config.Namespace,
		Now: time.Now, Rejected: rejections.Of, RejectedRoutes: rejections.Watch,
	}
	if err := gateways.Setup(mgr, definitions); err != nil {
		return err
	}
	credentials := &egressgateway.Reconciler{
		Client: mgr.GetClient(), Secrets: mgr.GetAPIReader(), Sink: c.sink(), Mesh: c.config.Mesh, Namespace: c.config.Namespace, Now: time.Now,
	}
	if err := credentials.Setup(mgr, definitions); err != nil {
		return err
	}
	encryption := &backendtls.Reconciler{
		Client: mgr.GetClient(), ConfigMaps: mgr.GetAPIReader(), Leading: leader.Leading, Sink: c.sink(), Mesh: c.config.Mesh, Namespace: c.config.Namespace,
		Now: time.Now, Rejected: rejections.Of, RejectedPolicies: rejections.Watch,
	}
	return encryption.Setup(mgr, definitions)
}

// lead competes for the Lease until stopping or running ends. It does not wait for the delay between the two, so that another
// replica acquires the Lease at once. A canary control plane never competes, and writes no status or Events without the Lease.
func (c *ControlPlane) lead(stopping, running context.Context, leader *status.Leader) error {
	if !c.config.WriteStatus {
		c.log.Info("policy status is written by the active control plane")
		return nil
	}
	leading, stop := context.WithCancel(running)
	defer stop()
	defer context.AfterFunc(stopping, stop)()
	return leader.Run(leading, c.api.clients, c.config.Namespace, c.config.PodName, c.log.WithName("status"))
}
