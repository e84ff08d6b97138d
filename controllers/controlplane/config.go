package controlplane

import "github.com/openservicemesh/osm-operator/internal/certificate"

// Config configures a control plane. All fields but Revision and WebhookClientCA are required.
type Config struct {
	// Mesh is the name of the mesh. Namespaces with this label value belong to it.
	Mesh string
	// Namespace is the namespace of the control plane and its MeshConfig.
	Namespace string
	// TrustDomain is the suffix of workload principals.
	TrustDomain string
	// Revision is the name of the MeshRevision that this process is part of.
	Revision string
	// PodName is the name of this replica's pod.
	PodName string
	// LogLevel is the log level until the MeshConfig is read.
	LogLevel string
	// CADir has the files of the mounted CA Secret.
	CADir string
	// Key is the kind of the workloads' keys.
	Key certificate.KeySpec
	// WebhookCertDir has tls.crt and tls.key of the validating webhook.
	WebhookCertDir string
	// WebhookClientCA has PEM certificates of authorities whose clients may connect to the webhook. Empty means any client.
	WebhookClientCA string
	// Addresses are where the servers listen.
	Addresses Addresses
	// WriteStatus lets this replica compete for the Lease for writing status and Events of policies.
	WriteStatus bool
}
