// Command launcher is osm-launcher, process 1 of the two slots of a pod whose sidecar is upgraded in place.
//
// It is a program of its own, and not part of osm-init, because the packages of osm-init alone need 4 MB, and an idle launcher 1.6 MB. osm-init
// copies it into a volume of the slots. With the argument wait, it ends once one of the slots serves.
package main
