// Package certificates keeps the certificate authority of a mesh and the serving certificates of its webhooks.
//
// In flow a Mesh, the Secrets of its control plane, and the webhooks that are registered; out flow the Secrets, wider trust in the
// webhooks while the root changes, and the condition CertificatesReady. Certificates of an installed mesh are renewed whatever has
// become of its spec: also while the Mesh is paused, planned, stalled, or waits to be removed.
package certificates
