"""The Tryton side: one company, then so many orders of three lines through sale, shipment and posted invoice.

Runs in Tryton's own environment, as a user's client would drive it: URL of the database, count.
Prints the seconds per order as JSON.
"""

import json
import statistics
import sys
import time
from decimal import Decimal

from proteus import Model, config
from trytond.modules.account.tests.tools import create_chart, create_fiscalyear, get_accounts
from trytond.modules.account_invoice.tests.tools import set_fiscalyear_invoice_sequences
from trytond.modules.company.tests.tools import create_company, get_company


def main(configuration: str, count: int) -> None:
    """Set the company up and time each order."""
    config.set_trytond("tryton", config_file=configuration)
    create_company()
    company = get_company()
    year = set_fiscalyear_invoice_sequences(create_fiscalyear())
    year.click("create_period")
    create_chart(company)
    accounts = get_accounts(company)
    category = Model.get("product.category")(name="Dairy", accounting=True)
    category.account_expense, category.account_revenue = accounts["expense"], accounts["revenue"]
    category.save()
    [unit] = Model.get("product.uom").find([("name", "=", "Unit")])
    products = []
    for name in ("Milk", "Curd", "Ghee"):
        template = Model.get("product.template")(name=name, default_uom=unit, type="goods", salable=True)
        template.list_price, template.account_category = Decimal("23.80"), category
        template.save()
        products.append(template.products[0])
    term = Model.get("account.invoice.payment_term")(name="Now")
    term.lines.new(type="remainder")
    term.save()
    customer = Model.get("party.party")(name="Meena")
    customer.addresses.new(street="12 Temple Road")
    customer.save()
    seconds = []
    for _ in range(count):
        start = time.perf_counter()
        sale = Model.get("sale.sale")(party=customer, payment_term=term, invoice_method="order")
        for product in products:
            line = sale.lines.new()
            line.product, line.quantity = product, 1
        sale.click("quote")
        sale.click("confirm")
        if sale.state == "confirmed":
            sale.click("process")
        [shipment] = sale.shipments
        shipment.click("assign_force")
        shipment.click("pick")
        shipment.click("pack")
        shipment.click("do")
        sale.reload()
        [invoice] = sale.invoices
        invoice.click("post")
        if invoice.state != "posted":
            raise SystemExit(f"The invoice is {invoice.state}, not posted.")
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"median": statistics.median(seconds), "all": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
