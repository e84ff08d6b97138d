// Package adopt knows what an Open Service Mesh that this operator has not installed leaves in a cluster, or still runs there.
//
// In flow Deployments, Services, webhook configurations and definitions, read from the API server when a mesh is about to be
// installed. Out flow what stands in a Mesh's way, with a sentence about what to do; definitions that can be read again although
// their conversion webhook is gone; and webhook configurations that nothing answers any more. What users wrote is never touched.
package adopt
