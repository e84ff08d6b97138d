// Package argocd holds the health check of a Mesh for Argo CD.
//
// The object goes in, as Argo CD reads it. Its health comes out: Healthy, Progressing, Suspended or Degraded, with a message.
package argocd
