package layout

// The addresses are one block of 10/8 that neither Docker (172.17/16 up), kind and kubeadm (10.96/12, 10.244/16), k3s
// (10.42/15) nor minikube (10.244/16, 192.168.49/24) hands out.
const (
	Block       = "10.211.0.0/16"
	PodCIDR     = "10.211.0.0/20"
	ServiceCIDR = "10.211.128.0/20"
	APIService  = "10.211.128.1" // first address of ServiceCIDR, by the API server's rule
	DNSService  = "10.211.128.10"
	NodeIP      = "10.211.255.1" // on Bridge; the API server and the kubelet listen there and nowhere else

	// Bridge is a device without ports that only carries NodeIP: the kubelet refuses a loopback address for its node.
	Bridge = "nexus0"

	NodeName      = "nexus-local"
	ClusterDomain = "cluster.local"
)

// The ports are outside the ephemeral range (32768 up) and the NodePort range (30000-32767), and none is a default.
const (
	APIPort               = 21443
	EtcdPort              = 21379
	EtcdPeerPort          = 21380
	KubeletPort           = 21250
	KubeletHealthPort     = 21248
	ControllerManagerPort = 21257
	SchedulerPort         = 21259
	ProxyHealthPort       = 21256
	ProxyMetricsPort      = 21249
)
