# What the rules of the Snakefile and gather_table5 ask of the plan.
from clipfair.plan.data_targets import data_targets
from clipfair.plan.targets import model_cards, paper_targets, study_targets, table5_parts


def get_table5_parts():
    return table5_parts(PLAN)


def get_study_targets():
    return study_targets(PLAN)


def get_model_cards():
    return model_cards(PLAN)


def get_data_targets():
    return data_targets(PLAN)


def get_paper_targets(paper):
    return paper_targets(PLAN, paper)
