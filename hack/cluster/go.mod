module github.com/nexus-operator/nexus-operator/hack/cluster

go 1.26.0
