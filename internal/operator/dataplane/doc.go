// Package dataplane observes the workloads that carry the sidecars of a mesh, and restarts them.
//
// It watches injected pods, their workloads and PodDisruptionBudgets in a cache of its own, which keeps only the fields that are read.
// It returns rollout.Workloads. A restart is one annotation of a pod template, or spec.restartAt of a Rollout, an upgrade in place the image of one
// container of a pod. Kinds of other projects are watched where the API server serves them.
package dataplane
