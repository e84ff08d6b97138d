package ingest

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/openservicemesh/osm-operator/internal/catalog"
	"github.com/openservicemesh/osm-operator/internal/names"
)

// Namespace reads whether a namespace belongs to a mesh: it is labelled with the mesh's name and not to be ignored.
func Namespace(ns *corev1.Namespace, mesh string) *catalog.Namespace {
	_, ignored := ns.Labels[names.IgnoreLabel]
	return &catalog.Namespace{Name: ns.Name, Monitored: !ignored && mesh != "" && ns.Labels[names.MonitoredByLabel] == mesh}
}

// ServiceAccount reads a service account.
func ServiceAccount(sa *corev1.ServiceAccount) *catalog.ServiceAccount {
	return &catalog.ServiceAccount{Name: catalog.Name{Namespace: sa.Namespace, Name: sa.Name}, UID: string(sa.UID)}
}
