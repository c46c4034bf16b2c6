package validate

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nexus-operator/nexus-operator/api/v1alpha1"
)

// order is a realistic body of 1 KiB.
const order = `{"inputs":{"order":{"id":"ord-2026-000187","currency":"EUR","placedAt":"2026-03-14T09:26:53Z",
"customer":{"id":"c-10482","name":"Amélie Durand","email":"amelie.durand@example.com","tier":"gold","vip":false,"phone":null,
"address":{"street":"12 rue de la République","city":"Lyon","zip":"69002","country":"FR"}},
"items":[{"sku":"KB-104-FR","title":"Mechanical keyboard, French layout","quantity":2,"price":129.9,"weight":1.35,"tags":["office","usb"]},
{"sku":"MS-220","title":"Wireless mouse","quantity":1,"price":49,"weight":0.12,"tags":["office"]},
{"sku":"HB-4","title":"USB hub with 4 ports","quantity":3,"price":24.5,"weight":0.2,"tags":[]}],
"shipping":{"method":"express","carrier":"chronopost","price":14.9,"instructions":"Leave at the desk; ring twice."},
"coupon":"SPRING-10","notes":"See https://example.com/orders/ord-2026-000187 for the quote and/or call.","total":397.2,"paid":true},
"options":{"notify":true,"channel":"email","retries":3,"timeoutSeconds":30,"locale":"fr-FR"}},"mode":"sync"}`

func standard(allowed ...string) *Rules {
	return New(v1alpha1.Input{MaxBytes: resource.MustParse("10Mi"), Policy: v1alpha1.InputStandard, AllowedKeys: allowed})
}

func BenchmarkDecode(b *testing.B) {
	body, rules := []byte(order), standard()
	b.Logf("%d bytes", len(body))
	b.Run("Rules", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := rules.Decode(body); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("EncodingJSON", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			var v any
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}
